# Stubs for Windows' own cmdlets, with the parameters of Windows PowerShell
# 5.1 that scripts use.

function Get-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name)

    foreach ($service in Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters) {
        # What has started by now runs; what has not will not.
        Add-Member -InputObject $service -MemberType ScriptMethod -Name WaitForStatus -PassThru -Value {
            param($Status, $Timeout)
            if ($this.Status -ne $Status) {
                throw (New-Object System.TimeoutException "'$($this.Name)' is not $Status after $Timeout.")
            }
        }
    }
}

function Restart-Service {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param([Parameter(Mandatory = $true, Position = 0)] [string[]] $Name, [switch] $Force)
    Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters
}

function New-ScheduledTaskAction {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $Execute, [Parameter(Position = 1)] [string] $Argument)
    [pscustomobject] @{ Execute = $Execute; Argument = $Argument }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [string] $UserId,
        [ValidateSet('None', 'Password', 'S4U', 'Interactive', 'Group', 'ServiceAccount', 'InteractiveOrPassword')] [string] $LogonType
    )
    [pscustomobject] @{ UserId = $UserId; LogonType = $LogonType }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()]
    param(
        [switch] $AllowStartIfOnBatteries, [timespan] $ExecutionTimeLimit,
        [ValidateSet('Parallel', 'Queue', 'IgnoreNew')] [string] $MultipleInstances = 'IgnoreNew'
    )
    [pscustomobject] @{ ExecutionTimeLimit = $ExecutionTimeLimit; MultipleInstances = $MultipleInstances }
}

function Register-ScheduledTask {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [string] $TaskName,
        [Parameter(Mandatory = $true)] [object[]] $Action,
        [object] $Principal,
        [object] $Settings,
        [string] $TaskPath,
        [switch] $Force
    )
    Invoke-Model -Name Register-ScheduledTask -With @{
        Name = $TaskName; User = $Principal.UserId; Argument = $Action[0].Argument
        LogonType = $Principal.LogonType; MultipleInstances = $Settings.MultipleInstances
    }
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $TaskName, [Parameter(Position = 1)] [string[]] $TaskPath)
    Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters
}

function Start-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $TaskName, [Parameter(Position = 1)] [string] $TaskPath)

    if ($TaskName -eq 'farmtrust-sharepoint') { Start-SharePointTask -TaskName $TaskName }
    else { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-ScheduledTaskInfo {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $TaskName, [Parameter(Position = 1)] [string] $TaskPath)
    Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters
}

# It prompts, as it does on Windows.
function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param([Parameter(Position = 0)] [string[]] $TaskName)
    Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters
}

# The snap-in of SharePoint 2016 and 2019, where one of these is installed.
function Add-PSSnapin {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string[]] $Name)

    if ($env:FARMTRUST_SNAPINS -eq '' -or $Name[0] -ne 'Microsoft.SharePoint.PowerShell') {
        $exception = New-Object System.ArgumentException "No snap-ins have been registered for Windows PowerShell version 5.1 with the name $Name."
        throw (New-Object System.Management.Automation.ErrorRecord $exception, 'AddPSSnapInRead', 'InvalidArgument', $null)
    }
    Import-Module -Name (Join-Path -Path $env:FARMTRUST_SNAPINS -ChildPath $Name[0]) -Global -DisableNameChecking
}

# As on Windows, a log that has no such event is an error.
function Get-WinEvent {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [hashtable] $FilterHashtable, [long] $MaxEvents)

    $since = $FilterHashtable.StartTime.ToUniversalTime().ToString('o')
    $found = @(Invoke-Model -Name Get-WinEvent -With @{ LogName = $FilterHashtable.LogName; StartTime = $since; MaxEvents = [int] $MaxEvents })
    if ($found.Count -gt 0) { return $found }
    $exception = New-Object System.Exception 'No events were found that match the specified selection criteria.'
    throw (New-Object System.Management.Automation.ErrorRecord $exception, 'NoMatchingEventsFound', 'ObjectNotFound', $null)
}
