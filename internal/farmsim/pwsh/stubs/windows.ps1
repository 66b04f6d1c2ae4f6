# Stubs for the part of the prelude that only Windows can run.

# Stores.

function Get-StoreCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store)
    Invoke-Model -Name Get-StoreCertificate -With $PSBoundParameters
}

function Add-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate
    )
    Invoke-Model -Name Add-StoreCertificate -With $PSBoundParameters
}

function Remove-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )
    Invoke-Model -Name Remove-StoreCertificate -With $PSBoundParameters
}

function Set-StoreFriendlyName {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [string] $FriendlyName
    )
    Invoke-Model -Name Set-StoreFriendlyName -With $PSBoundParameters
}

function Get-PersonalCertificate {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-PersonalCertificate
}

function Set-StoreArchived {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [bool] $Archived
    )
    Invoke-Model -Name Set-StoreArchived -With $PSBoundParameters
}

# What else on the machine names a certificate.

function Get-TlsBindingText {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-TlsBindingText
}

function Get-ListenerThumbprint {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-ListenerThumbprint
}

function Get-WinRmThumbprint {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-WinRmThumbprint
}

function Get-RemoteDesktopThumbprint {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-RemoteDesktopThumbprint
}

function Get-CentralStore {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-CentralStore
}

# Keys.

function Open-Pfx {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags] $Flags)

    $password = Read-PfxPassword
    $plain = (New-Object System.Net.NetworkCredential '', $password).Password
    Invoke-Model -Name Open-Pfx -With @{ Pfx = $FarmTrustSecrets[0]; Password = $plain; Flags = [string] $Flags }
}

# A key that stays on its machine: what is to be signed travels, the key does
# not. A class, for what a script method throws loses its identity; made only
# here, for making one takes a tenth of a second.
function New-ModelKey {
    param([object] $Certificate, [string] $Path)

    $class = [ScriptBlock]::Create('
        class ModelKey {
            [object] $Certificate
            [string] $Path
            [byte[]] SignData(
                [byte[]] $Data, [System.Security.Cryptography.HashAlgorithmName] $Hash,
                [System.Security.Cryptography.RSASignaturePadding] $Padding
            ) {
                if ($Hash.Name -ne "SHA256" -or [string] $Padding -ne "Pkcs1") { throw "not simulated: $Hash $Padding" }
                return [Convert]::FromBase64String((Invoke-Model -Name SignData -With @{
                    Certificate = $this.Certificate; Path = $this.Path; Data = $Data
                }))
            }
        }
        New-Object ModelKey')
    $key = . $class
    $key.Certificate = $Certificate
    $key.Path = $Path
    return $key
}

function Get-PrivateKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    if (Invoke-Model -Name Get-PrivateKey -With $PSBoundParameters) { return New-ModelKey -Certificate $Certificate -Path modern }
    return $null
}

function Get-LegacySigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    if (Invoke-Model -Name Get-LegacySigner -With $PSBoundParameters) { return New-ModelKey -Certificate $Certificate -Path legacy }
    return $null
}

function Get-KeyLocation {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)
    $location = Invoke-Model -Name Get-KeyLocation -With $PSBoundParameters
    if ($location.Provider -eq '') {
        Stop-Script -Id 'KeyMissing' -Message "certificate $($Certificate.Thumbprint) has no RSA key that this account can open"
    }
    return $location
}

function Get-KeyReader {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $File)
    Invoke-Model -Name Get-KeyReader -With $PSBoundParameters
}

function Add-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )
    Invoke-Model -Name Add-KeyReader -With $PSBoundParameters
}

function Remove-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )
    Invoke-Model -Name Remove-KeyReader -With $PSBoundParameters
}

function Remove-Key {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)
    Invoke-Model -Name Remove-Key -With $PSBoundParameters
}

function Get-ContainerFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Container)
    Invoke-Model -Name Get-ContainerFile -With $PSBoundParameters
}

function Remove-KeyContainer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Container)
    Invoke-Model -Name Remove-KeyContainer -With $PSBoundParameters
}

# Files. PowerShell elsewhere joins paths with its own system's separator.

function Read-FileText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    Invoke-Model -Name Read-FileText -With @{ Path = $Path.Replace('/', '\') }
}

function Get-FileTime {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    Invoke-Model -Name Get-FileTime -With @{ Path = $Path.Replace('/', '\') }
}

# The machine.

function Get-ComputerName {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-ComputerName
}

function Get-AccountName {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-AccountName
}

function Get-MachineTime {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-MachineTime
}

function Test-Elevated {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Test-Elevated
}

function Get-KnownForest {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-KnownForest
}

function Test-PendingReboot {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Test-PendingReboot
}

function Test-FipsPolicy {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Test-FipsPolicy
}

function Get-ConfigurationMode {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-ConfigurationMode
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()
    [int] (Invoke-Model -Name Get-WindowsBuild)
}

function Get-DomainName {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-DomainName
}

function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4', 'W3SVC', 'WAS')] [string] $Name)
    Invoke-Model -Name Get-ServiceStart -With $PSBoundParameters
}

function Get-WorkerStart {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-WorkerStart
}

function Invoke-IisReset {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('stop', 'start')] [string] $Action)
    [int] (Invoke-Model -Name Invoke-IisReset -With $PSBoundParameters)
}

function Get-LoadedText {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-LoadedText
}

function Set-LoadedText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    Invoke-Model -Name Set-LoadedText -With $PSBoundParameters
}

# The mutex of the machine.

function Open-ServerMutex {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Open-ServerMutex
    # It stands for that of the simulated server, which only the model has.
    New-Object System.Threading.Mutex
}

function Wait-ServerMutex {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Threading.Mutex] $Mutex,
        [Parameter(Mandatory = $true)] [int] $Milliseconds
    )
    Invoke-Model -Name Wait-ServerMutex -With @{ Milliseconds = $Milliseconds }
}

function Unlock-Server {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Threading.Mutex] $Mutex)
    Invoke-Model -Name Unlock-Server
}

function Get-OtherRun {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-OtherRun
}

# Sites.

function Get-OwnHostEntry {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-OwnHostEntry
}

function Send-SiteRequest {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Address,
        [Parameter(Mandatory = $true)] [uri] $Url,
        [Parameter(Mandatory = $true)] [int] $Milliseconds
    )
    Invoke-Model -Name Send-SiteRequest -With $PSBoundParameters
}

# SharePoint's files and object model.

function Get-SharePointFileVersion {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Get-SharePointFileVersion
}

function Open-ConfigurationDatabase {
    [CmdletBinding()]
    param()
    Invoke-Model -Name Open-ConfigurationDatabase
}

function Get-AppPermission {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Web,
        [Parameter(Mandatory = $true)] [string] $RegisteredName
    )
    Invoke-Model -Name Get-AppPermission -With $PSBoundParameters
}
