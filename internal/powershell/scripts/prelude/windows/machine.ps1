# The machine itself: who it is, what runs on it since when.

function Test-Elevated {
    [CmdletBinding()]
    param()

    $principal = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    return $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

# The forest's name; empty when no domain controller answers this account.
function Get-ForestName {
    [CmdletBinding()]
    param()

    try { return [string] [System.DirectoryServices.ActiveDirectory.Domain]::GetComputerDomain().Forest.Name }
    catch { return '' }
}

# Two places say that Windows waits for a restart. Renames that are pending do
# not count: programs leave such entries for months.
# Source: the PendingReboot resource of ComputerManagementDsc.
function Test-PendingReboot {
    [CmdletBinding()]
    param()

    $windows = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
    return (Test-Path -Path "$windows\Component Based Servicing\RebootPending") -or
        (Test-Path -Path "$windows\WindowsUpdate\Auto Update\RebootRequired")
}

# The mode of the Desired State Configuration manager; empty when it does not
# answer, as where it was removed.
function Get-ConfigurationMode {
    [CmdletBinding()]
    param()

    try {
        $answer = Invoke-CimMethod -Namespace 'root/Microsoft/Windows/DesiredStateConfiguration' `
            -ClassName MSFT_DSCLocalConfigurationManager -MethodName GetMetaConfiguration
        return [string] $answer.MetaConfiguration.ConfigurationMode
    }
    catch { return '' }
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'CurrentBuildNumber', '0')
}

# The DNS domain; empty in a workgroup.
function Get-DomainName {
    [CmdletBinding()]
    param()

    $system = Get-CimInstance -ClassName Win32_ComputerSystem
    if ($system.PartOfDomain) { return [string] $system.Domain }
    return ''
}

# When the process of a service started; null when none runs.
function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4')] [string] $Name)

    foreach ($service in Get-CimInstance -ClassName Win32_Service -Filter "Name = '$Name'") {
        if ($service.ProcessId -eq 0) { continue }
        foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "ProcessId = $($service.ProcessId)") {
            return $process.CreationDate
        }
    }
    return $null
}

# When the oldest worker process of IIS started; null when none runs.
function Get-WorkerStart {
    [CmdletBinding()]
    param()

    $oldest = $null
    foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "Name = 'w3wp.exe'") {
        if ($null -eq $oldest -or $process.CreationDate -lt $oldest) { $oldest = $process.CreationDate }
    }
    return $oldest
}

# The version of the SharePoint program files; null when there are none.
function Get-SharePointFileVersion {
    [CmdletBinding()]
    param()

    foreach ($hive in '16', '15') {
        $file = "$env:CommonProgramFiles\microsoft shared\Web Server Extensions\$hive\ISAPI\Microsoft.SharePoint.dll"
        if ([System.IO.File]::Exists($file)) {
            $version = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($file)
            return New-Object System.Version $version.ProductMajorPart, $version.ProductMinorPart, $version.ProductBuildPart, $version.ProductPrivatePart
        }
    }
    return $null
}
