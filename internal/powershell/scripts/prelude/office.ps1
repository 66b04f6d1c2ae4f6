# Office Online Server's module, and the farm as its cmdlets describe it.

# A long-lived remote shell may have started before the product was installed, so
# that its PSModulePath lacks the product's folder.
# Source: OfficeOnlineServerDsc, which refreshes PSModulePath the same way.
function Import-OfficeModule {
    [CmdletBinding()]
    param()

    $machine = [Environment]::GetEnvironmentVariable('PSModulePath', [EnvironmentVariableTarget]::Machine)
    if ($machine) { $env:PSModulePath = $env:PSModulePath + [System.IO.Path]::PathSeparator + $machine }
    if (-not (Get-Module -Name OfficeWebApps -ListAvailable)) {
        Stop-Script -Id 'NotOffice' -Message 'the module OfficeWebApps is not installed on this server'
    }
    Import-Module -Name OfficeWebApps
}

# Returns the machine as a member of its farm, or null when it is in no farm,
# which the product reports as FileNotFoundException.
function Get-OfficeMachine {
    [CmdletBinding()]
    param()

    try { return Get-OfficeWebAppsMachine }
    catch [System.IO.FileNotFoundException] { return $null }
}

# The product names a machine by its computer name in one place and by its DNS
# name in another.
function Test-SameMachine {
    [CmdletBinding()]
    param([string] $One, [string] $Other)

    return $One.Split('.')[0] -eq $Other.Split('.')[0]
}

# Farm-wide settings are changed on the master only: on a member the cmdlet may
# have to contact the master, and a remote shell cannot pass on its credentials.
function Assert-Master {
    [CmdletBinding()]
    param()

    $machine = Get-OfficeMachine
    if ($null -eq $machine) {
        Stop-Script -Id 'NotJoined' -Message 'this machine is in no Office Online Server farm'
    }
    if (-not (Test-SameMachine -One $machine.MasterMachineName -Other (Get-ComputerName))) {
        Stop-Script -Id 'NotMaster' -Message "the master of the farm is $($machine.MasterMachineName)"
    }
}

# Returns the path of this machine's copy of the farm settings.
function Get-SettingsPath {
    [CmdletBinding()]
    param()

    $parts = $env:ProgramData, 'Microsoft', 'OfficeWebApps', 'Data', 'FarmState', 'settings.xml'
    return [System.IO.Path]::Combine([string[]] $parts)
}

# Returns when this machine's copy of the farm settings was last written, or null
# when there is none.
function Get-SettingsTime {
    [CmdletBinding()]
    param()

    return Get-FileTime -Path (Get-SettingsPath)
}

# Returns how the server itself responds to /hosting/discovery. The status is
# part of what is compared before and after a rotation, so an HTTP error is a
# result and not an error of the script.
function Get-Discovery {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Url)

    # .NET Framework may offer nothing newer than TLS 1.0. With 0, Windows decides.
    if ([int] [System.Net.ServicePointManager]::SecurityProtocol -ne 0) {
        [System.Net.ServicePointManager]::SecurityProtocol =
            [System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12
    }
    $status = 0
    $problem = ''
    try { $status = [int] (Invoke-WebRequest -Uri $Url -UseBasicParsing -TimeoutSec 30).StatusCode }
    catch [System.Net.WebException] {
        $problem = [string] $_.Exception.Status
        if ($null -ne $_.Exception.Response) {
            $status = [int] $_.Exception.Response.StatusCode
            $problem = ''
        }
    }
    return [pscustomobject] @{ url = $Url; status = $status; problem = $problem }
}
